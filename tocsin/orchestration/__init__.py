"""What happens next: runs and their stages, the engine that walks them, the worker's steps."""
