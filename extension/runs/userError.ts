/** What the user can set right: shown as it is, without a stack. Says what was expected, what came and what to do. */
export class UserError extends Error {
  override name = "UserError";
}
