//! The cells of a result that its settings decide, and whether a row has any result at all.

use super::ResultRow;
use crate::config::Config;

impl ResultRow {
    /// A row that holds the settings and nothing else; cells of keys that the method ignores are empty.
    pub fn of_settings(experiment: &Config) -> Self {
        let method = experiment.method;
        Self {
            experiment: experiment.experiment.clone(),
            dataset: experiment.dataset.clone(),
            method: method.name().to_owned(),
            task: experiment.task.name().to_owned(),
            hidden: method.uses("hidden").then_some(experiment.hidden),
            p: method.uses("p").then_some(experiment.p),
            k: method.uses("k").then_some(experiment.k),
            delta: method.uses("delta").then_some(experiment.delta),
            seed: experiment.seed,
            epochs: method.uses("epochs").then_some(experiment.epochs),
            batch: method.uses("batch").then_some(experiment.batch),
            rate: method.uses("rate").then_some(experiment.rate),
            unit_length: experiment.unit_length.name().to_owned(),
            readout_epochs: experiment.readout_epochs,
            power_n: method.uses("power_n").then_some(experiment.power_n),
            loss_m: method.uses("loss_m").then_some(experiment.loss_m),
            beta: method.uses("beta").then_some(experiment.beta),
            labels_per_class: experiment.labels_per_class.first(),
            ..Self::default()
        }
    }

    /// Whether the run came to no result: it has neither an error nor weights, only `err`.
    pub fn has_no_result(&self) -> bool {
        let errors = [self.train_error_pct, self.validation_error_pct, self.test_error_pct];
        errors.iter().all(Option::is_none) && self.weights_sha256.is_empty()
    }

    /// The error that the run is judged by: on held-out examples where there are some, else on the test set.
    pub fn judged_error_pct(&self) -> Option<f64> {
        self.validation_error_pct.or(self.test_error_pct)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_a_method_has_no_use_for_are_empty() {
        let row = |set: &str| ResultRow::of_settings(&Config::resolve("mnist", &[set.to_owned()], None).unwrap());
        let biological = row("labels_per_class=30");
        assert_eq!((biological.hidden, biological.p, biological.labels_per_class), (Some(2000), Some(3.0), Some(30)));
        let shallow = row("method=shallow");
        assert_eq!((shallow.hidden, shallow.p, shallow.epochs, shallow.beta), (None, None, None, Some(3.0)));
    }

    #[test]
    fn a_row_with_weights_or_an_error_has_a_result() {
        let row = ResultRow { err: "a disk".to_owned(), ..ResultRow::default() };
        assert!(row.has_no_result());
        assert!(!ResultRow { weights_sha256: "00".to_owned(), ..row.clone() }.has_no_result());
        assert!(!ResultRow { validation_error_pct: Some(0.0), ..row }.has_no_result());
    }
}
