"""What Kubernetes knows of the server: its pod, the events, the volumes, the Services in front of it and the node."""
