"""Methods that find a sparse network to train, one per file."""

from rigl_tf.tickets import optimizers as optimizers
from rigl_tf.tickets import sanity as sanity
from rigl_tf.tickets.base import SearchRequest as SearchRequest
from rigl_tf.tickets.base import TicketFinder as TicketFinder
from rigl_tf.tickets.calibration.reconstruction import (
    reconstruction_errors as reconstruction_errors,
)
from rigl_tf.tickets.calibration.sparse_gpt import SparseGPT as SparseGPT
from rigl_tf.tickets.calibration.wanda import Wanda as Wanda
from rigl_tf.tickets.iterative.after_training import (
    AfterTraining as AfterTraining,
)
from rigl_tf.tickets.iterative.imp import IMP as IMP
from rigl_tf.tickets.iterative.imp import (
    LearningRateRewinding as LearningRateRewinding,
)
from rigl_tf.tickets.iterative.one_shot_lottery import (
    OneShotLottery as OneShotLottery,
)
from rigl_tf.tickets.normalization import recalibrate as recalibrate
from rigl_tf.tickets.random.random_draw import Random as Random
from rigl_tf.tickets.random.smart_ratio import SmartRatio as SmartRatio
from rigl_tf.tickets.random.smart_ratio_search import (
    SmartRatioSearch as SmartRatioSearch,
)
from rigl_tf.tickets.random.smart_ratio_tuned import (
    SmartRatioTuned as SmartRatioTuned,
)
from rigl_tf.tickets.saliency.grasp import GraSP as GraSP
from rigl_tf.tickets.saliency.magnitude import Magnitude as Magnitude
from rigl_tf.tickets.saliency.prospr import ProsPr as ProsPr
from rigl_tf.tickets.saliency.snip import SNIP as SNIP
from rigl_tf.tickets.saliency.synflow import SynFlow as SynFlow
from rigl_tf.tickets.sanity import CHECKS as CHECKS
from rigl_tf.tickets.search.edge_popup import EdgePopup as EdgePopup
from rigl_tf.tickets.search.gem_miner import GemMiner as GemMiner
from rigl_tf.tickets.ticket import Ticket as Ticket
from rigl_tf.tickets.ticket import load as load

TICKETS = {
    "random": Random,
    "magnitude": Magnitude,
    "snip": SNIP,
    "grasp": GraSP,
    "synflow": SynFlow,
    "prospr": ProsPr,
    "smart_ratio": SmartRatio,
    "smart_ratio_search": SmartRatioSearch,
    "smart_ratio_tuned": SmartRatioTuned,
    "edge_popup": EdgePopup,
    "gem_miner": GemMiner,
    "imp": IMP,
    "lr_rewinding": LearningRateRewinding,
    "one_shot_lottery": OneShotLottery,
    "wanda": Wanda,
    "sparse_gpt": SparseGPT,
    "after_training": AfterTraining,
}
