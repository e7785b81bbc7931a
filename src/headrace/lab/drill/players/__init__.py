"""Real players, ffmpeg and hls.js, that play from an affected VIP while a drill runs."""
