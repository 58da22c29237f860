"""Speech without a key, a cloud or a network: for trying and testing, not for production.

espeak-ng speaks (GPL-3, through the ``espeakng-loader`` wheel) and pocketsphinx with its US English
model hears (BSD): both come with the extra ``lastword[offline]``. The voice is robotic, and of a
clear caller's words about one in twelve is misheard (``python -m benchmarks.offline_speech``).
The ends of turns are found by LiveKit's own local models, whose licence allows use with LiveKit
Agents only (``lastword.providers.turn_taking``).
"""
