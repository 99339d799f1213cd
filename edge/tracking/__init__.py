"""Which face is whose from frame to frame, and what each person's face says over time."""
