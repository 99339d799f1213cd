"""The live web page: what the camera sees and what was read, for a browser and for programs."""
