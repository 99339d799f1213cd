"""The emotions in a picture.

python examples/read_picture.py benchmarks/collins.jpg
"""

import sys

from edge_fer import Classifier, Pipeline, open_detector, open_source

with open_source(sys.argv[1]) as source, open_detector() as detector:
    for reading in Pipeline(detector, Classifier()).run(source):
        for face in reading.faces:
            print(f"{face.emotion} {face.confidence:.0%} at {face.box}")
            for name, share in face.probabilities.items():
                print(f"  {name:9} {share:.3f}")
