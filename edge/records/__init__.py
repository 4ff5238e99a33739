"""Records that anybody may check: JSON documents signed with Ed25519."""
