/** What a template consists of once it is read. */

interface At {
  /** Into the template: errors name the place. */
  readonly position: number;
}

export type Node =
  | (At & { kind: "text"; text: string })
  | (At & { kind: "action"; pipe: Pipe })
  | (At & {
      kind: "if" | "range" | "with";
      pipe: Pipe;
      body: readonly Node[];
      otherwise: readonly Node[] | undefined;
    })
  | (At & { kind: "break" | "continue" });

export interface Pipe extends At {
  readonly kind: "pipe";
  /** `$x := ...` or `$x = ...`. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

export interface Command extends At {
  readonly kind: "command";
  readonly words: readonly Word[];
}

export type Word =
  | Pipe
  | (At & { kind: "dot" | "nil" })
  | (At & { kind: "bool"; value: boolean })
  | (At & { kind: "number"; text: string; value: number | bigint })
  | (At & { kind: "string"; text: string; value: string })
  | (At & { kind: "identifier"; name: string })
  | (At & { kind: "field"; names: readonly string[] })
  /** The first name begins with `$`. */
  | (At & { kind: "variable"; names: readonly string[] })
  | (At & { kind: "chain"; base: Word; names: readonly string[] });

/** As Go prints it in messages. */
export function show(node: Word | Command): string {
  switch (node.kind) {
    case "pipe": {
      const head =
        node.variables.length === 0 ? "" : `${node.variables.join(", ")} ${node.assigns ? "=" : ":="} `;
      return `${head}${node.commands.map(show).join(" | ")}`;
    }
    case "command":
      return node.words.map((word) => (word.kind === "pipe" ? `(${show(word)})` : show(word))).join(" ");
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "bool":
      return String(node.value);
    case "number":
    case "string":
      return node.text;
    case "identifier":
      return node.name;
    case "field":
      return node.names.map((name) => `.${name}`).join("");
    case "variable":
      return node.names.join(".");
    case "chain": {
      const base = node.base.kind === "pipe" ? `(${show(node.base)})` : show(node.base);
      return base + node.names.map((name) => `.${name}`).join("");
    }
  }
}
