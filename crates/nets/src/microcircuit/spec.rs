//! The settings of dendritic microcircuits.

use crate::error::{Error, Result};
use crate::eval::{check_count, check_real, check_size};

/// The shape of a network of dendritic microcircuits, and how it learns.
///
/// # Example
/// ```
/// use rivalry_nets::MicrocircuitSpec;
/// let spec = MicrocircuitSpec { batch: 20, ..MicrocircuitSpec::ours(784, &[500, 500], 10)? };
/// assert_eq!(spec.lambdas, [0.1, 1.0, 0.5]);
/// assert!(MicrocircuitSpec::ours(784, &[500; 3], 10).is_err());
/// # Ok::<(), rivalry_nets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MicrocircuitSpec {
    /// The length of a sample.
    pub inputs: usize,
    /// The number of pyramidal units of each hidden layer, from the inputs up. The layer above has as many interneurons in it
    /// as it has units.
    pub hidden: Vec<usize>,
    /// The number of classes.
    pub classes: usize,
    /// The number of samples in a minibatch.
    pub batch: usize,
    /// λ of each layer: how strongly the apical potential moves the soma, and the teacher the outputs.
    pub lambdas: Vec<f32>,
    /// λ_I: how strongly the unit above moves its interneuron.
    pub lambda_interneuron: f32,
    /// η of W^up of each layer.
    pub eta_up: Vec<f32>,
    /// η of W^IP of each hidden layer.
    pub eta_ip: Vec<f32>,
    /// The rate to which the teacher draws the output of the class, and that of the others.
    pub targets: [f32; 2],
    /// The initial W^up are U(±range).
    pub up_range: f64,
    /// W^down are U(±range) and stay.
    pub down_range: f64,
    /// After so many epochs, prediction uses the mean of the weights at up to 16 points of every later epoch; `None` is never.
    pub average_after: Option<u64>,
}

impl MicrocircuitSpec {
    /// Our settings for 1 or 2 hidden layers.
    ///
    /// Source: ours; those of Sacramento et al. 2018 learn many times more slowly. η^IP is [`MicrocircuitSpec::eta_ip_of`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for another number of hidden layers.
    pub fn ours(inputs: usize, hidden: &[usize], classes: usize) -> Result<MicrocircuitSpec> {
        let (lambdas, eta_up) = match hidden.len() {
            1 => (vec![0.3, 0.5], vec![2.0, 0.06]),
            // At the edge of stability: interneurons need η_{k+1} φ′ ‖r‖² < 2. The first epochs want smaller shares of these
            // rates; without, one of three starts diverged.
            2 => (vec![0.1, 1.0, 0.5], vec![3.0, 0.05, 0.06]),
            other => {
                return Err(Error::invalid(format!("there are settings for 1 or 2 hidden layers, not for {other}")));
            }
        };
        Ok(MicrocircuitSpec {
            inputs,
            hidden: hidden.to_vec(),
            classes,
            batch: 10,
            lambdas,
            lambda_interneuron: 0.1,
            eta_ip: MicrocircuitSpec::eta_ip_of(&eta_up, 0.1),
            eta_up,
            targets: [0.8, 0.1],
            up_range: 0.1,
            down_range: 1.0,
            average_after: None,
        })
    }

    /// Settings for layers of any widths, inputs first and classes last: to take single steps with.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless there are the inputs, a hidden layer and the classes at least.
    pub fn of_sizes(sizes: &[usize]) -> Result<MicrocircuitSpec> {
        let [inputs, hidden @ .., classes] = sizes else {
            return Err(Error::invalid(format!("sizes = {sizes:?} name no inputs and classes")));
        };
        let spec = MicrocircuitSpec::ours(*inputs, &[1], *classes)?;
        let layers = hidden.len() + 1;
        Ok(MicrocircuitSpec {
            hidden: hidden.to_vec(),
            lambdas: vec![0.1; layers],
            eta_up: vec![0.01; layers],
            eta_ip: vec![0.1; hidden.len()],
            ..spec
        })
    }

    /// η^IP_k = η^up_{k+1}/λ_I, with which W^IP_k follows W^up_{k+1} to first order.
    ///
    /// # Allocates
    /// The rates.
    pub fn eta_ip_of(eta_up: &[f32], lambda_interneuron: f32) -> Vec<f32> {
        eta_up.iter().skip(1).map(|eta| eta / lambda_interneuron).collect()
    }

    /// Checks that a network can be made of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first value that is out of range.
    pub fn check(&self) -> Result<()> {
        check_size("the length of a sample", self.inputs, 1, 1 << 31)?;
        check_size("the number of hidden layers", self.hidden.len(), 1, 64)?;
        self.hidden.iter().try_for_each(|&units| check_size("hidden", units, 1, 1 << 31))?;
        check_size("classes", self.classes, 2, 256)?;
        check_size("batch", self.batch, 1, 1 << 20)?;
        check_count("lambdas", self.lambdas.len(), self.hidden.len() + 1)?;
        self.lambdas.iter().try_for_each(|&lambda| check_real("lambda", f64::from(lambda), [0.0, 100.0]))?;
        check_real("lambda_interneuron", f64::from(self.lambda_interneuron), [0.0, 1.0])?;
        check_count("eta_up", self.eta_up.len(), self.hidden.len() + 1)?;
        check_count("eta_ip", self.eta_ip.len(), self.hidden.len())?;
        self.eta_up.iter().chain(&self.eta_ip).try_for_each(|&eta| check_real("eta", f64::from(eta), [0.0, 1e6]))?;
        for target in self.targets {
            check_real("a target rate", f64::from(target), [1e-6, 0.999_999])?;
        }
        check_real("up_range", self.up_range, [0.0, 1e3])?;
        check_real("down_range", self.down_range, [0.0, 1e3])
    }

    /// The widths of the inputs and of every layer.
    pub(super) fn widths(&self) -> Vec<usize> {
        [&[self.inputs], &self.hidden[..], &[self.classes]].concat()
    }
}
