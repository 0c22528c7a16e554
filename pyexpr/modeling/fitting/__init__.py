"""Any estimator of scikit-learn on a table, fitted and evaluated by folds of subjects."""
