"""Any scikit-learn estimator, fitted to a table and evaluated by folds of subjects."""
