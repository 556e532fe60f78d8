# SPDX-License-Identifier: MIT
"""Plots have in them what the recording has; names in them are text, whatever they hold."""
import pytest

import sysvm

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.mark.parametrize("name", ["timeline", "latency", "heatmap", "sequences"])
def test_every_plot_can_be_drawn(recorded, name) -> None:
    ax = getattr(sysvm.open(recorded).plot, name)()
    ax.figure.canvas.draw()
    assert ax.get_title() and ax.get_xlabel()
    matplotlib.pyplot.close(ax.figure)


@pytest.mark.parametrize("name", ["timeline", "latency", "heatmap"])
def test_a_plot_of_nothing_is_empty(recorded, name) -> None:
    ax = getattr(sysvm.open(recorded).filter(pid=1).plot, name)()
    ax.figure.canvas.draw()
    matplotlib.pyplot.close(ax.figure)


def test_the_timeline_has_a_row_for_each_thread(recorded) -> None:
    t = sysvm.open(recorded)
    ax = t.plot.timeline()
    assert {label.get_text() for label in ax.get_yticklabels()} == {str(tid)
                                                                    for tid in set(t.df(["tid"]).tid)}
    assert "left out" in t.plot.timeline(most=10).get_title()
    matplotlib.pyplot.close("all")


def test_latency_ends_at_all_calls(recorded) -> None:
    ax = sysvm.open(recorded).plot.latency()
    assert all(line.get_ydata()[-1] == 1 for line in ax.get_lines()) and len(ax.get_lines()) > 2
    matplotlib.pyplot.close("all")
