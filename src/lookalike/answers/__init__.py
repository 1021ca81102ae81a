"""Answers of the HTTP API: the server fills them in, the client returns them, and the OpenAPI document describes them.

Standard library only, because clients need no other package.
"""

from lookalike.answers.banks import Bank as Bank
from lookalike.answers.banks import BankEntry as BankEntry
from lookalike.answers.banks import Changed as Changed
from lookalike.answers.banks import Match as Match
from lookalike.answers.banks import Matched as Matched
from lookalike.answers.banks import Matches as Matches
from lookalike.answers.banks import MatchRate as MatchRate
from lookalike.answers.base import Details as Details
from lookalike.answers.base import Failure as Failure
from lookalike.answers.base import Image as Image
from lookalike.answers.base import Kind as Kind
from lookalike.answers.base import Label as Label
from lookalike.answers.base import LabelCount as LabelCount
from lookalike.answers.base import Page as Page
from lookalike.answers.base import Point as Point
from lookalike.answers.base import Problem as Problem
from lookalike.answers.base import Progress as Progress
from lookalike.answers.base import Relation as Relation
from lookalike.answers.base import State as State
from lookalike.answers.cleanup import DecidedImage as DecidedImage
from lookalike.answers.cleanup import Decision as Decision
from lookalike.answers.cleanup import Decisions as Decisions
from lookalike.answers.cleanup import Group as Group
from lookalike.answers.cleanup import GroupImage as GroupImage
from lookalike.answers.cleanup import Groups as Groups
from lookalike.answers.cleanup import Job as Job
from lookalike.answers.cleanup import Plan as Plan
from lookalike.answers.cleanup import PlanFile as PlanFile
from lookalike.answers.cleanup import Refused as Refused
from lookalike.answers.cleanup import Run as Run
from lookalike.answers.cleanup import RunFile as RunFile
from lookalike.answers.collection import Balance as Balance
from lookalike.answers.collection import Calibration as Calibration
from lookalike.answers.collection import Comparison as Comparison
from lookalike.answers.collection import Folder as Folder
from lookalike.answers.collection import Info as Info
from lookalike.answers.collection import Live as Live
from lookalike.answers.collection import Map as Map
from lookalike.answers.collection import Model as Model
from lookalike.answers.collection import Rate as Rate
from lookalike.answers.collection import Scene as Scene
from lookalike.answers.collection import Status as Status
from lookalike.answers.collection import Trouble as Trouble
from lookalike.answers.collection import Troubles as Troubles
from lookalike.answers.search import Answer as Answer
from lookalike.answers.search import Answers as Answers
from lookalike.answers.search import Code as Code
from lookalike.answers.search import Hit as Hit
from lookalike.answers.search import Query as Query
