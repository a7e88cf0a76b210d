"""What all our pages share: one style sheet, one script, and the parts of HTML."""
