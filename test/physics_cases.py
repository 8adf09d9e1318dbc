"""Masses of the robots that are simulated; joints, limits and capsules come from their files.

Effort, mass, centre of mass and inertia of each link: the URDFs named in the robots' files (Pepper:
`pepper.urdf` of softbankrobotics-research/qibullet, Apache-2.0; NAO: `naoV50` of ros-naoqi/nao_robot, BSD),
rounded to four digits; the right arm is the left one's mirror image, fingers are left out. The inertia of the
rotors is assumed: no source tells it.
"""

from dataclasses import dataclass

from benchmarks.primitives import Link


@dataclass(frozen=True)
class Body:
    """What a robot weighs: links of head and left arm by joint, inertia of a rotor [kg m^2]."""

    links: dict[str, Link]
    armature: float

    def both_sides(self) -> dict[str, Link]:
        """Return all links, the right arm's too."""
        right = {f"R{name[1:]}": link.mirrored() for name, link in self.links.items() if name[0] == "L"}
        return self.links | right


# fmt: off
PEPPER = Body({
    "HeadYaw": Link(5.428, 0.27391, (-0.00207, 0.0, -0.02636),
                    (0.0003435, 0.0004939, 0.0002153, 0.0, -1.886e-05, 2.099e-06)),
    "HeadPitch": Link(2.666, 1.51893, (0.00312, 0.0, 0.1115),
                      (0.005972, 0.005905, 0.005704, 0.0, 0.0001251, 4.343e-07)),
    "LShoulderPitch": Link(5.428, 0.3125, (0.00018, -0.01856, 0.00099),
                           (0.0003612, 0.0001372, 0.0003992, -1.983e-06, 6.359e-07, -5.689e-06)),
    "LShoulderRoll": Link(2.666, 0.50527, (0.08151, 0.01284, -0.01017),
                          (0.0005009, 0.001263, 0.001157, -3.559e-05, 8.513e-05, 9.068e-06)),
    "LElbowYaw": Link(5.428, 0.27495, (-0.02297, -0.00019, 0.00119),
                      (0.000123, 0.0003318, 0.000303, 9.86e-07, -2.558e-05, -1.989e-06)),
    "LElbowRoll": Link(2.666, 0.16579, (0.0593, 0.00271, -0.01014),
                       (0.001565, 0.001732, 0.0002731, 1.475e-05, -6.057e-05, -1.762e-07)),
    "LWristYaw": Link(0.2014, 0.27555, (0.03536, -0.00072, -0.00207),
                      (0.0001516, 0.0004311, 0.0004562, 1.066e-05, 2.895e-06, -3.137e-06)),
}, armature=0.006)

NAO = Body({
    "HeadYaw": Link(1.547, 0.07842, (-1e-05, 0.0, -0.02742),
                    (1.603e-05, 1.704e-05, 5.534e-06, 1.57e-09, 3.163e-09, -5.295e-08)),
    "HeadPitch": Link(1.532, 0.60533, (-0.00112, 0.0, 0.05258),
                      (0.0009578, 0.0008168, 0.000985, 8.788e-06, 5.337e-06, -2.996e-05)),
    "LShoulderPitch": Link(1.329, 0.09304, (-0.00165, -0.02663, 0.00014),
                           (1.83e-05, 1.39e-05, 2.019e-05, 2.06e-06, 1.888e-09, -3.666e-07)),
    "LShoulderRoll": Link(1.7835, 0.15777, (0.02455, 0.00563, 0.0033),
                          (8.718e-05, 0.0002747, 0.0002418, -2.534e-05, -1.421e-05, 4.714e-07)),
    "LElbowYaw": Link(1.547, 0.06483, (-0.02744, 0.0, -0.00014),
                      (5.596e-06, 2.662e-05, 2.763e-05, 4.21e-09, 2.922e-07, -1.84e-09)),
    "LElbowRoll": Link(1.532, 0.07761, (0.02556, 0.00281, 0.00076),
                       (2.467e-05, 3.838e-05, 3.597e-05, 3.232e-06, 1.582e-06, 1.392e-07)),
    "LWristYaw": Link(0.4075, 0.18533, (0.03434, -0.00088, 0.00308),
                      (6.865e-05, 0.0001358, 0.0001332, 1.155e-07, -2.873e-06, 2.675e-06)),
}, armature=0.002)
# fmt: on

BODIES = {"pepper": PEPPER, "nao": NAO}
