"""Kill -9 at named barriers, on real processes: nothing accepted is lost, nothing is sent twice."""
