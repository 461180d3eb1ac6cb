"""Rules, tiers and the five ways to say no: what law and company allow. Standard library only."""
