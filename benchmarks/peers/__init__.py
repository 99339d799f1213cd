"""Other projects for the same task, measured side by side with edge-fer.

Each runs in an environment of its own, made from the package registries, in processes that import
nothing of edge-fer (``workers/``). All are asked the same by lines of JSON: what they see in
FER-2013's test pictures, and which faces they find in the frames of videos.
"""
