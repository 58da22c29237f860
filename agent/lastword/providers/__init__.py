"""Speech models: recognition, synthesis and turn detection."""
