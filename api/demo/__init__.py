"""The main job end to end on real data: three submissions, one permit, hundreds of proven decisions."""
