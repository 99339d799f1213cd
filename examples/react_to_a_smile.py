"""Something happens when a person has smiled for a while.

python examples/react_to_a_smile.py 0
"""

import sys

from edge_fer import Classifier, Pipeline, Smoother, Tracker, open_detector, open_source

HOLD = 0.5  # seconds

with open_source(sys.argv[1]) as source, open_detector() as detector:
    pipeline = Pipeline(detector, Classifier(), Tracker(), Smoother())
    since, greeted = {}, set()
    for reading in pipeline.run(source):
        now = reading.frame.time
        for face in reading.faces:
            if face.emotion != "happy" or face.uncertain:
                since.pop(face.id, None)
            elif now - since.setdefault(face.id, now) >= HOLD and face.id not in greeted:
                greeted.add(face.id)
                print(f"{now:.1f} s: hello, person {face.id}")  # switch a light on, say
