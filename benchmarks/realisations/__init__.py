"""How good realisations are: they are learnt here, and judged on the dev split."""
