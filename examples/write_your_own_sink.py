"""A sink of your own beside edge-fer's: how many faces there were of each emotion.

python examples/write_your_own_sink.py clip.mp4 annotated.mp4
"""

import sys
from collections import Counter
from pathlib import Path

from edge_fer import Classifier, Pipeline, Smoother, Tracker, open_detector, open_saver, open_source


class Tally:
    """Whatever has a ``write(reading)`` is a sink."""

    def __init__(self):
        self.counts = Counter()

    def write(self, reading):
        self.counts.update(face.emotion for face in reading.faces)


tally = Tally()
with (
    open_source(sys.argv[1]) as source,
    open_detector() as detector,
    open_saver(Path(sys.argv[2]), source) as video,
):
    for reading in Pipeline(detector, Classifier(), Tracker(), Smoother()).run(source):
        for sink in (tally, video):
            sink.write(reading)
print(dict(tally.counts))
