// What a dashboard may hold, put together of the types that Grafana publishes (@grafana/schema): for each type of panel its own
// options and fields, and no others. `scripts/dashboard types` makes a JSON schema of it, and holds dashboard.json against that.

import type { TableFieldOptions, TableOptions } from '@grafana/schema';
import type * as model from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as stat from './node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as timeline from './node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as timeseries from './node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

// Not published as a type: Grafana's packages/grafana-prometheus, PromQuery.
interface Query {
  datasource: model.DataSourceRef;
  editorMode?: 'code' | 'builder';
  expr: string;
  format: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  legendFormat: string;
  range?: boolean;
  refId: string;
}

// Likewise, of annotations by Prometheus.
interface Annotation extends model.AnnotationQuery {
  builtIn?: number;
  expr?: string;
  step?: string;
  tagKeys?: string;
  textFormat?: string;
  titleFormat?: string;
  useValueForTime?: boolean;
}

type Panel<Kind extends string, Options, Custom> = Omit<model.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Kind;
  options: Options;
  targets: Query[];
  fieldConfig: {
    defaults: Omit<model.FieldConfig, 'custom'> & { custom?: Custom };
    overrides: model.FieldConfigSource['overrides'];
  };
};

export type Checked = Omit<model.Dashboard, 'panels' | 'annotations'> & {
  annotations: { list: Annotation[] };
  panels: (
    | model.RowPanel
    | Panel<'timeseries', timeseries.Options, timeseries.FieldConfig>
    | Panel<'stat', stat.Options, {}>
    | Panel<'state-timeline', timeline.Options, timeline.FieldConfig>
    // A table is of one frame only once its transformations are done.
    | Panel<'table', Omit<TableOptions, 'frameIndex'>, Partial<TableFieldOptions>>
  )[];
};
