"""The sample graphs: LangGraph only, so they also open in Studio without LiveKit."""
