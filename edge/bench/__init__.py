"""Named benchmarks: each measures one promise of speed or size on this machine."""
