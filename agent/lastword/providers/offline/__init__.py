"""Speech models without a key, a cloud or a network: for tests, not for production.

espeak-ng (GPL-3, in the ``espeakng-loader`` wheel) speaks. pocketsphinx (BSD) recognises speech
with its US English model. Both are in the extra ``lastword[offline]``. The voice is robotic, and
about one in twelve words of a clear caller is recognised wrongly
(``python -m benchmarks.offline_speech``). LiveKit's local models detect turns; their licence allows
use with LiveKit Agents only (``lastword.providers.turn_taking``).
"""
