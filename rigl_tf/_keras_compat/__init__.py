"""The private parts of Keras and TensorFlow that this library depends on.

No other module uses a private name of theirs. `tests/keras_compat/` says
for each what it is for and what breaks without it.
"""

from rigl_tf._keras_compat.graph_edits import hide_in_graph
from rigl_tf._keras_compat.graph_edits import replace_attributes
from rigl_tf._keras_compat.graph_edits import replace_in_graph
from rigl_tf._keras_compat.graph_edits import show_in_graph
from rigl_tf._keras_compat.graphs import Functional
from rigl_tf._keras_compat.graphs import array_operation
from rigl_tf._keras_compat.graphs import calls_restored
from rigl_tf._keras_compat.graphs import graph_of
from rigl_tf._keras_compat.graphs import head_of
from rigl_tf._keras_compat.graphs import is_called
from rigl_tf._keras_compat.graphs import is_graph
from rigl_tf._keras_compat.graphs import nodes_of
from rigl_tf._keras_compat.graphs import operation_of
from rigl_tf._keras_compat.graphs import run_graph
from rigl_tf._keras_compat.layers import Untracked
from rigl_tf._keras_compat.layers import all_layers
from rigl_tf._keras_compat.layers import call_replaced
from rigl_tf._keras_compat.layers import check_number_of_variables
from rigl_tf._keras_compat.layers import children
from rigl_tf._keras_compat.layers import kernel_replaced
from rigl_tf._keras_compat.layers import made_again
from rigl_tf._keras_compat.layers import own_trainable_variables
from rigl_tf._keras_compat.layers import takes_training
from rigl_tf._keras_compat.layers import unlock
from rigl_tf._keras_compat.optimizers import accumulated_gradient_of
from rigl_tf._keras_compat.optimizers import accumulated_gradients
from rigl_tf._keras_compat.optimizers import batches_seen
from rigl_tf._keras_compat.optimizers import built_variables
from rigl_tf._keras_compat.optimizers import is_built_for
from rigl_tf._keras_compat.optimizers import learning_rate_of
from rigl_tf._keras_compat.optimizers import momentum_of
from rigl_tf._keras_compat.optimizers import slots_of
from rigl_tf._keras_compat.optimizers import sums_of_squares
from rigl_tf._keras_compat.saving import is_saving_as_h5
from rigl_tf._keras_compat.saving import unallocated
from rigl_tf._keras_compat.tensorflow_ops import NOT_INLINED
from rigl_tf._keras_compat.tensorflow_ops import is_for_xla
from rigl_tf._keras_compat.tensorflow_ops import ops_replaced
from rigl_tf._keras_compat.tensorflow_ops import unregistered_gradients
from rigl_tf._keras_compat.training import MultiWorkerFit
from rigl_tf._keras_compat.training import add_to_logged_loss
from rigl_tf._keras_compat.training import build_for_training
from rigl_tf._keras_compat.training import can_convert_arrays
from rigl_tf._keras_compat.training import get_data_adapter
from rigl_tf._keras_compat.training import loss_weights_of
from rigl_tf._keras_compat.training import patch_fit
from rigl_tf._keras_compat.training import set_initial_epoch
from rigl_tf._keras_compat.training import strategy_of
