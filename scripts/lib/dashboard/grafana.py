"""Grafana's dashboard model, as far as it is used here.

Takes titles, descriptions and PromQL. Gives the objects of a dashboard's JSON (schema version 41, Grafana 11.6 and later),
laid out row by row. Leaves what is asked, and in which words, to panels.py.
"""

SCHEMA_VERSION = 41
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"


def target(expr, legend="", instant=False, table=False):
    """One query. `legend` is Grafana's, with {{label}}."""
    found = {"datasource": DATASOURCE, "editorMode": "code", "expr": " ".join(expr.split()), "legendFormat": legend or "__auto"}
    found.update({"instant": True, "range": False} if instant else {"range": True})
    found["format"] = "table" if table else "time_series"
    return found


def steps(*pairs):
    """Thresholds: the base colour, and (value, colour) from which on it is another."""
    base, *rest = pairs
    found = [{"color": base, "value": None}]
    return {"mode": "absolute", "steps": found + [{"color": color, "value": value} for value, color in rest]}


def panel(kind, title, description, targets, unit, width, height, thresholds=None, decimals=None, **options):
    """What all panels have. `options` are the type's own."""
    for number, query in enumerate(targets):
        query["refId"] = chr(ord("A") + number)
    defaults = {"unit": unit, "color": {"mode": "palette-classic"}, "thresholds": thresholds or steps(GREEN), "mappings": []}
    if decimals is not None:
        defaults["decimals"] = decimals
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
        "gridPos": {"w": width, "h": height},
    }


def lines(title, description, targets, unit, width=8, height=7, stacked=False, thresholds=None, soft_max=None, top=None, log=False):
    """Lines over time. With `thresholds` a dashed line stands at each. `top`: a fixed end of the scale."""
    found = panel(
        "timeseries", title, description, targets, unit, width, height, thresholds,
        legend={"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        tooltip={"mode": "multi", "sort": "desc"},
    )
    defaults = found["fieldConfig"]["defaults"]
    defaults["min"] = 0
    if top is not None:
        defaults["max"] = top
    defaults["custom"] = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 0,
        "gradientMode": "none",
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if thresholds else "off"},
        "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"},
        "axisPlacement": "auto",
    }
    if log:
        del defaults["min"]
    if soft_max is not None:
        defaults["custom"]["axisSoftMax"] = soft_max
    return found


def number(title, description, expr, unit, thresholds, width=3, height=4, decimals=None, graph=True, empty=None):
    """One number, in the colour of its threshold, over its course. `empty`: what is shown where there is none."""
    found = panel(
        "stat", title, description, [target(expr)], unit, width, height, thresholds, decimals,
        reduceOptions={"calcs": ["lastNotNull"], "fields": "", "values": False},
        colorMode="background" if not graph else "value",
        graphMode="area" if graph else "none",
        justifyMode="auto", orientation="auto", textMode="auto", wideLayout=True, percentChangeColorMode="standard",
        showPercentChange=False,
    )
    found["fieldConfig"]["defaults"]["color"] = {"mode": "thresholds"}
    if empty is not None:
        found["fieldConfig"]["defaults"]["noValue"] = empty
    return found


def bands(title, description, targets, unit, thresholds, width=24, height=6):
    """A band for each series, coloured by its thresholds: since when?"""
    found = panel(
        "state-timeline", title, description, targets, unit, width, height, thresholds,
        mergeValues=True, showValue="never", alignValue="left", rowHeight=0.85,
        legend={"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        tooltip={"mode": "single", "sort": "none"},
    )
    defaults = found["fieldConfig"]["defaults"]
    defaults["color"] = {"mode": "thresholds"}
    defaults["custom"] = {"fillOpacity": 70, "lineWidth": 0}
    return found


def table(title, description, keys, columns, width=12, height=7, sort=()):
    """A row for each value of the labels `keys` ((label, heading), ...); `columns` are (heading, expr, unit, thresholds), and
    `sort` is of (heading, whether the largest come first)."""
    targets = [target(expr, instant=True, table=True) for _, expr, _, _ in columns]
    found = panel(
        "table", title, description, targets, "short", width, height,
        showHeader=True, cellHeight="sm",
        sortBy=[{"displayName": heading, "desc": down} for heading, down in sort],
    )
    found["fieldConfig"]["defaults"]["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    # A table of one query has the column `Value`; several are told apart by their letters.
    values = ["Value"] if len(columns) == 1 else [f"Value #{chr(ord('A') + number)}" for number in range(len(columns))]
    headings = {label: heading for label, heading in keys}
    headings.update({value: column[0] for value, column in zip(values, columns)})
    found["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: place for place, name in enumerate(headings)},
            "renameByName": headings,
        }},
    ]
    for heading, _, unit, thresholds in columns:
        properties = [{"id": "unit", "value": unit}]
        if thresholds:
            properties += [
                {"id": "thresholds", "value": thresholds},
                {"id": "color", "value": {"mode": "thresholds"}},
                {"id": "custom.cellOptions", "value": {"type": "color-text"}},
            ]
        found["fieldConfig"]["overrides"].append({"matcher": {"id": "byName", "options": heading}, "properties": properties})
    return found


def variable(name, label, query, all_value, description):
    """A choice among a label's values; several, or all: `all_value`, or None for those that are offered."""
    found = {
        "type": "query",
        "name": name,
        "label": label,
        "description": description,
        "datasource": DATASOURCE,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
    }
    if all_value is not None:
        found["allValue"] = all_value
    return found


def event(name, expr, title, color):
    """Marks on all lines over time, where `expr` has a value."""
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "expr": " ".join(expr.split()),
        "step": "60s",
        "titleFormat": title,
        "textFormat": "",
        "tagKeys": "",
        "useValueForTime": False,
    }


def laid_out(rows):
    """Panels with their places and numbers. `rows` are (title, [panel, ...]); a line is full at 24 columns."""
    placed, top, ids = [], 0, iter(range(1, 1000))
    for title, panels in rows:
        placed.append({
            "type": "row", "title": title, "collapsed": False, "panels": [], "id": next(ids),
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        })
        top += 1
        left = line_height = 0
        for one in panels:
            place = one["gridPos"]
            if left + place["w"] > COLUMNS:
                top, left, line_height = top + line_height, 0, 0
            place.update({"x": left, "y": top})
            left += place["w"]
            line_height = max(line_height, place["h"])
            placed.append({"id": next(ids), **one})
        top += line_height
    return placed


def dashboard(title, uid, description, variables, events, rows):
    """The whole of it, as Grafana exports it."""
    source = {
        "type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "refresh": 1, "regex": "",
        "current": {"selected": False, "text": "default", "value": "default"}, "options": [], "hide": 0, "includeAll": False, "multi": False, "skipUrlSync": False,
        "description": "The Prometheus that scrapes hookbridge",
    }
    built_in = {
        "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
    }
    return {
        "annotations": {"list": [built_in, *events]},
        "description": description,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [],
        "panels": laid_out(rows),
        "preload": False,
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["hookbridge", "kafka", "webhooks"],
        "templating": {"list": [source, *variables]},
        "time": {"from": "now-3h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }
