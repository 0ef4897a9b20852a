/** Names of containers: what a person may give, and what is made up when nobody gives one. */

/** @see https://github.com/containers/podman (libpod/define/config.go: NameRegex) */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const NAME_LENGTH_MAX = 128;

export function isValidName(name: string): boolean {
  return name.length <= NAME_LENGTH_MAX && NAME.test(name);
}

const ADJECTIVES =
  "amber ample azure bold brave breezy bright brisk calm candid cheery chilly civil clear clever cosy crisp curly dapper daring deft dewy eager early earnest easy fair fancy fine fleet fond frank fresh gentle giddy glad golden grand green hardy hasty hazel hearty humble jaunty jolly keen kind lively loyal lucid lucky lunar mellow merry mild misty modest nimble noble patient placid plucky polite proud quick quiet rapid ready regal rosy rustic serene sharp shiny silent silver sleek snowy sober solid spry stable steady stout sunny swift tame tidy timid tranquil trim trusty upbeat valiant velvet vivid warm wary wise witty young zesty".split(
    " ",
  );
const NOUNS =
  "acorn alder anchor aspen atlas badger barley basil beacon beaver birch bison bramble brook canyon cedar cliff clover comet condor copper coral cove crane creek cricket delta dune eagle ember falcon fern finch fjord flint forest fox garnet geyser ginger glacier grove gull harbor hare hazelnut heron hill ibis iris island ivy jasper juniper kestrel lagoon lantern lark laurel lichen lily linden lynx magpie maple marten meadow mesa moss nectar newt oak olive onyx opal orchard osprey otter owl pebble pine plum pond poppy prairie quail quartz raven reef ridge river robin sage sparrow spruce stork thicket thistle tulip tundra valley walnut willow wren".split(
    " ",
  );

/**
 * @param random a number from 0 to below `max`
 * @param attempt how many names were taken already: with each, the name gets one digit more, so that there is always one left
 */
export function generateName(random: (max: number) => number, attempt = 0): string {
  const digits = Array.from({ length: attempt }, () => random(10)).join("");
  return `${ADJECTIVES[random(ADJECTIVES.length)]}_${NOUNS[random(NOUNS.length)]}${digits}`;
}
