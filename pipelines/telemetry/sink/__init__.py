"""`retrainer monitor sink`: takes what the logger of KServe sends."""
