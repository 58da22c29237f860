"""How the conversation is heard: the LiveKit worker, the bridge to the graph, the hang-up."""
