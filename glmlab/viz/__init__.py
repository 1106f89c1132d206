"""Pictures of the course, all in one style, each with its content in words. Nothing is fetched from a network.

Every function that draws returns a :class:`Picture`, which displays itself in Jupyter with its alt text. ``show``
displays it and prints its finding in one line; it takes a matplotlib figure too.
"""

from glmlab.words import bytes_text, count_text

from .benchmarks import noise_band, pays_from, race, standings, then_and_now, where_it_pays
from .bounds import bounds_by_lam, stops, tangent, three_errors
from .calibration import calibration
from .chunkmap import bytes_by_worker, bytes_per_worker, chunk_slider, chunks
from .coefficients import coefficients
from .conditioning import digits_left
from .consensus import admm_round, rounds_map, votes, zero_clock
from .convergence import convergence
from .costs import chunk_curve
from .course import course_map
from .diagrams import reduction, solver_loop, who_computes
from .estimation import error_by_rows
from .graphs import graph, task_counts
from .interactive import load_bokeh
from .intervals import intervals
from .leverages import leverages
from .live import Live
from .odds import odds
from .penalties import penalty_paths, prices
from .picture import Picture, show
from .rates import bound_and_gap, gap_curves, rate_by_kappa, step_slider
from .scaling import speed_by_workers
from .simulated import cluster_slider
from .stream import task_stream, white_space
from .style import COLOURS, new_figure, use_style
from .validation import held_out

__all__ = [
    "COLOURS",
    "Live",
    "Picture",
    "admm_round",
    "bound_and_gap",
    "bounds_by_lam",
    "bytes_by_worker",
    "bytes_per_worker",
    "bytes_text",
    "calibration",
    "chunk_curve",
    "chunk_slider",
    "chunks",
    "cluster_slider",
    "coefficients",
    "convergence",
    "count_text",
    "course_map",
    "digits_left",
    "error_by_rows",
    "gap_curves",
    "graph",
    "held_out",
    "intervals",
    "leverages",
    "load_bokeh",
    "new_figure",
    "noise_band",
    "odds",
    "pays_from",
    "penalty_paths",
    "prices",
    "race",
    "rate_by_kappa",
    "reduction",
    "rounds_map",
    "show",
    "solver_loop",
    "speed_by_workers",
    "standings",
    "step_slider",
    "stops",
    "tangent",
    "task_counts",
    "task_stream",
    "then_and_now",
    "three_errors",
    "use_style",
    "votes",
    "where_it_pays",
    "white_space",
    "who_computes",
    "zero_clock",
]

use_style()
