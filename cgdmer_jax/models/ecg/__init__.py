"""ECG encoders and what stands at their input."""
