"""The modules that a page names in advance: all of them, so that the browser has nothing to learn on the way."""

from service.dashboard.modules import SCRIPTS, modules
from service.dashboard.study_page import TABS


def test_what_a_module_imports_is_named_once_wherever_it_lies():
    found = modules("study.js", "study/history.js")
    assert found[:2] == ("study.js", "api.js")
    assert {"study/history.js", "history.js", "charts.js", "live.js", "frame.js"} <= set(found)
    assert len(set(found)) == len(found)


def test_every_tab_has_its_modules():
    for tab in TABS:
        for name in modules("study.js", f"study/{tab}.js"):
            assert (SCRIPTS / name).is_file(), name
