"""The picture of the dashboard: what scene.py has written, drawn by page.html in a browser without a window.

Usage: draw.py DATA UPLOT PICTURE   (UPLOT: the directory of the npm package)
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, ROW, HEADER = 1500, 32, 44  # pixels, as page.html has them


def main(arguments):
    data, uplot, picture = (Path(one) for one in arguments)
    shown = data.read_text(encoding="utf-8")
    height = HEADER + ROW * max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in json.loads(shown)["model"]["panels"])
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    for place, text in (("/*UPLOT_CSS*/", (uplot / "dist/uPlot.min.css").read_text()),
                        ("/*UPLOT_JS*/", (uplot / "dist/uPlot.iife.min.js").read_text()),
                        ("/*DATA*/", shown.replace("</", "<\\/"))):
        page = page.replace(place, text, 1)
    with tempfile.TemporaryDirectory() as directory:
        html = Path(directory) / "dashboard.html"
        html.write_text(page, encoding="utf-8")
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not browser:
            sys.exit("draw.py: no chromium")
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1",
                        f"--user-data-dir={directory}/profile", f"--window-size={WIDTH},{height}", "--virtual-time-budget=5000",
                        f"--screenshot={picture.resolve()}", html.as_uri()], check=True, timeout=120, stderr=subprocess.DEVNULL)
    # 64 colours are enough for lines and text, and a third of the octets.
    subprocess.run(["pngquant", "--force", "--ext=.png", "--strip", "64", str(picture)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
