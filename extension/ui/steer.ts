/** Orders that set a knob. */
import type { KnobValue } from "../protocol/description";
import type { NewOrder } from "../runs/order";

/** `scope`: a glob over parameter names; null = all that the knob applies to. */
export const knobOrder = (key: string, value: KnobValue, scope: string | null): NewOrder => ({
  set: { [key]: value },
  ...(scope !== null && { scope }),
});
