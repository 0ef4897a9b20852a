/** Nothing is left to do: help or the version was printed, or there is a message that is not one of our errors. */
export class EarlyEnd extends Error {
  readonly status: number;

  /** @param message for stderr, as it is; "" for none */
  constructor(status: number, message = "") {
    super(message);
    this.status = status;
  }
}
