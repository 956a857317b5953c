"""Those that watch the cloud and act on their own are told of a node that goes out, and asked before."""
