/** A mistake in a template: the sentence is the one that Go's text/template gives. */
import { WpodError } from "../error.ts";

export class TemplateError extends WpodError {
  constructor(message: string) {
    super("USAGE", message);
  }
}
