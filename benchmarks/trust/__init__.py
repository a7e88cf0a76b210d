"""How far the trust figures are to be trusted: calibration, and what it reaches on unseen scans."""
