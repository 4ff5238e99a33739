"""What k8s/ has of compose/, written from the same files."""
