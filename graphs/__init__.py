"""What is said: pure LangGraph, opens in Studio without LiveKit."""
