"""Any regressor of scikit-learn on a table: fitted and judged by folds of subjects."""
