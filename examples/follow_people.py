"""People in a video or before a camera: a number each, calm readings, few detections.

python examples/follow_people.py 0            camera 0
python examples/follow_people.py clip.mp4
"""

import sys

from edge_fer import Classifier, Pipeline, Smoother, Tracker, open_detector, open_source

with open_source(sys.argv[1]) as source, open_detector() as detector:
    pipeline = Pipeline(
        detector,
        Classifier(),
        tracker=Tracker(keep=2.0),  # people may be hidden for two seconds
        smoother=Smoother(seconds=1.0),
        detect_every="auto",
    )
    said = {}
    for reading in pipeline.run(source):
        for face in reading.faces:
            if said.get(face.id) != face.emotion:
                said[face.id] = face.emotion
                print(f"{reading.frame.time:6.2f} s  person {face.id}: {face.emotion}")
