/**
 * Reads a template. `define`, `template` and `block` are refused: a format of one line has no use for them.
 * @see https://pkg.go.dev/text/template
 */
import { type Item, lex } from "./lexer.ts";
import { type Command, type Node, type Pipe, show, type Word } from "./nodes.ts";
import { TemplateError } from "./template-error.ts";

const END: Item = { kind: "end", text: "", position: 0, line: 0 };
/** What may begin an operand. */
const OPERANDS: ReadonlySet<string> = new Set([
  "bool", "character", "dot", "field", "identifier", "number", "nil", "rawString", "string", "variable", "leftParen",
]); // biome-ignore format: a list of words

/** @throws TemplateError */
export function parse(source: string, functions: { has(name: string): boolean }): readonly Node[] {
  return new Parser(source, functions).run();
}

/** Why a list of nodes ended. */
type Stop = "end" | "else" | "eof";

class Parser {
  readonly #items: readonly Item[];
  readonly #functions: { has(name: string): boolean };
  #index = 0;
  #variables: string[] = ["$"];
  #rangeDepth = 0;
  #actionLine = 0;

  constructor(source: string, functions: { has(name: string): boolean }) {
    this.#items = lex(source);
    this.#functions = functions;
  }

  run(): Node[] {
    const { nodes, stop } = this.#list(true);
    if (stop !== "eof") throw this.#error(`unexpected {{${stop}}}`);
    return nodes;
  }

  #list(outermost: boolean): { nodes: Node[]; stop: Stop } {
    const nodes: Node[] = [];
    for (;;) {
      const item = this.#next();
      if (item.kind === "text") {
        nodes.push({ kind: "text", text: item.text, position: item.position });
        continue;
      }
      if (item.kind === "end" && outermost) return { nodes, stop: "eof" };
      if (item.kind === "end") throw this.#error("unexpected EOF");
      if (item.kind !== "leftDelim") throw this.#unexpected(item, "input");
      this.#actionLine = item.line;
      const node = this.#action();
      this.#actionLine = 0;
      if (typeof node === "string") return { nodes, stop: node };
      nodes.push(node);
    }
  }

  #action(): Node | "end" | "else" {
    const item = this.#nextNonSpace();
    if (item.kind !== "keyword") {
      this.#index--;
      const pipe = this.#pipe("command", "rightDelim");
      return { kind: "action", pipe, position: pipe.position };
    }
    const { position, text } = item;
    switch (text) {
      case "if":
      case "range":
      case "with":
        return this.#control(text, position);
      case "end":
        this.#expect("rightDelim", "end");
        return "end";
      case "else":
        // What follows in `else if` is read by the one who asked.
        if (!this.#atKeyword("if") && !this.#atKeyword("with")) this.#expect("rightDelim", "else");
        return "else";
      case "break":
      case "continue": {
        const next = this.#nextNonSpace();
        if (next.kind !== "rightDelim") throw this.#unexpected(next, `{{${text}}}`);
        if (this.#rangeDepth === 0) throw this.#error(`{{${text}}} outside {{range}}`);
        return { kind: text, position };
      }
      default:
        throw this.#error(`{{${text}}} is not supported here`);
    }
  }

  #control(kind: "if" | "range" | "with", position: number): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind, "rightDelim");
    if (kind === "range") this.#rangeDepth++;
    const body = this.#list(false);
    if (kind === "range") this.#rangeDepth--;
    let otherwise: readonly Node[] | undefined;
    if (body.stop === "else") {
      const item = this.#peekNonSpace();
      if (item.kind === "keyword" && item.text === kind && kind !== "range") {
        this.#nextNonSpace();
        otherwise = [this.#control(kind, item.position)];
      } else {
        if (item.kind === "keyword") throw this.#unexpected(item, "else");
        const list = this.#list(false);
        if (list.stop !== "end") throw this.#error(`expected end; found {{${list.stop}}}`);
        otherwise = list.nodes;
      }
    }
    this.#variables.length = scope;
    return { kind, pipe, body: body.nodes, otherwise, position };
  }

  #pipe(context: string, end: "rightDelim" | "rightParen"): Pipe {
    const { position } = this.#peekNonSpace();
    const { variables, assigns } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const item = this.#nextNonSpace();
      if (item.kind === end) break;
      if (!OPERANDS.has(item.kind)) throw this.#unexpected(item, context);
      this.#index--;
      commands.push(this.#command());
    }
    if (commands.length === 0) throw this.#error(`missing value for ${context}`);
    for (const [index, { words }] of commands.entries()) {
      if (index > 0 && ["bool", "dot", "nil", "number", "string"].includes(words[0]!.kind)) {
        throw this.#error(`non executable command in pipeline stage ${index + 1}`);
      }
    }
    return { kind: "pipe", position, variables, assigns, commands };
  }

  /** `$x :=`, `$x =`, `$i, $x :=` of a range. Nothing is taken where there is none. */
  #declarations(context: string): { variables: string[]; assigns: boolean } {
    const variables: string[] = [];
    for (;;) {
      const start = this.#index;
      const variable = this.#nextNonSpace();
      if (variable.kind !== "variable") {
        this.#index = start;
        return { variables, assigns: false };
      }
      const next = this.#nextNonSpace();
      if (next.kind === "declare" || next.kind === "assign") {
        variables.push(variable.text);
        this.#variables.push(variable.text);
        return { variables, assigns: next.kind === "assign" };
      }
      if (next.kind !== "comma") {
        this.#index = start;
        return { variables, assigns: false };
      }
      variables.push(variable.text);
      this.#variables.push(variable.text);
      if (context !== "range" || variables.length > 1)
        throw this.#error(`too many declarations in ${context}`);
      if (!["variable", "rightDelim", "rightParen"].includes(this.#peekNonSpace().kind)) {
        throw this.#error("range can only initialize variables");
      }
    }
  }

  #command(): Command {
    const { position } = this.#peekNonSpace();
    const words: Word[] = [];
    for (;;) {
      this.#peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) words.push(operand);
      const item = this.#next();
      if (item.kind === "space") continue;
      if (item.kind === "rightDelim" || item.kind === "rightParen") {
        this.#index--;
        break;
      }
      if (item.kind === "pipe") break;
      throw this.#unexpected(item, "operand");
    }
    if (words.length === 0) throw this.#error("empty command");
    return { kind: "command", position, words };
  }

  #operand(): Word | undefined {
    const word = this.#term();
    if (word === undefined || this.#peek().kind !== "field") return word;
    const { position } = this.#peek();
    const names: string[] = [];
    while (this.#peek().kind === "field") names.push(this.#next().text.slice(1));
    switch (word.kind) {
      case "field":
      case "variable":
        return { ...word, names: [...word.names, ...names], position };
      case "bool":
      case "string":
      case "number":
      case "nil":
      case "dot":
        throw this.#error(`unexpected . after term ${JSON.stringify(show(word))}`);
      default:
        return { kind: "chain", base: word, names, position };
    }
  }

  #term(): Word | undefined {
    const item = this.#nextNonSpace();
    const { position, text } = item;
    switch (item.kind) {
      case "identifier":
        if (!this.#functions.has(text)) throw this.#error(`function ${JSON.stringify(text)} not defined`);
        return { kind: "identifier", name: text, position };
      case "dot":
      case "nil":
        return { kind: item.kind, position };
      case "variable":
        if (!this.#variables.includes(text)) throw this.#error(`undefined variable ${JSON.stringify(text)}`);
        return { kind: "variable", names: [text], position };
      case "field":
        return { kind: "field", names: [text.slice(1)], position };
      case "bool":
        return { kind: "bool", value: text === "true", position };
      case "number":
        return { kind: "number", text, value: toNumber(text), position };
      case "character":
        return { kind: "number", text, value: this.#unquote(text).codePointAt(0) ?? 0, position };
      case "string":
        return { kind: "string", text, value: this.#unquote(text), position };
      case "rawString":
        return { kind: "string", text, value: text.slice(1, -1).replaceAll("\r", ""), position };
      case "leftParen":
        return this.#pipe("parenthesized pipeline", "rightParen");
      default:
        this.#index--;
        return undefined;
    }
  }

  /** @see https://go.dev/ref/spec#String_literals */
  #unquote(text: string): string {
    const simple: Readonly<Record<string, string>> = {
      a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "\\": "\\", '"': '"', "'": "'",
    }; // biome-ignore format: pairs
    return text
      .slice(1, -1)
      .replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/gu, (_, escaped: string) => {
        const known = simple[escaped];
        if (known !== undefined && escaped !== (text[0] === '"' ? "'" : '"')) return known;
        const code = /^[xuU]/.test(escaped)
          ? Number.parseInt(escaped.slice(1), 16)
          : Number.parseInt(escaped, 8);
        if (escaped.length === 1 || Number.isNaN(code) || code > 0x10ffff)
          throw this.#error("invalid syntax");
        return String.fromCodePoint(code);
      });
  }

  #expect(kind: Item["kind"], context: string): void {
    const item = this.#nextNonSpace();
    if (item.kind !== kind) throw this.#unexpected(item, context);
  }

  #atKeyword(word: string): boolean {
    const item = this.#peekNonSpace();
    return item.kind === "keyword" && item.text === word;
  }

  #next(): Item {
    return this.#items[this.#index++] ?? this.#items.at(-1) ?? END;
  }

  #peek(): Item {
    return this.#items[this.#index] ?? this.#items.at(-1) ?? END;
  }

  #nextNonSpace(): Item {
    let item = this.#next();
    while (item.kind === "space") item = this.#next();
    return item;
  }

  #peekNonSpace(): Item {
    while (this.#peek().kind === "space") this.#index++;
    return this.#peek();
  }

  #unexpected(item: Item, context: string): TemplateError {
    if (item.kind === "error") {
      const other = this.#actionLine !== 0 && this.#actionLine !== item.line;
      const started = other ? ` in action started at :${this.#actionLine}` : "";
      const extra = item.text.endsWith(" action") ? started.replace(" in action", "") : started;
      return this.#error(`${item.text}${extra}`, item.line);
    }
    return this.#error(`unexpected ${showItem(item)} in ${context}`, item.line);
  }

  #error(
    message: string,
    line = this.#items[Math.min(this.#index, this.#items.length) - 1]?.line ?? 1,
  ): TemplateError {
    return new TemplateError(`template: :${line}: ${message}`);
  }
}

function toNumber(text: string): number | bigint {
  const plain = text.replaceAll("_", "");
  if (/^[+-]?(0|[1-9]\d*)$/.test(plain)) {
    const value = Number(plain);
    return Number.isSafeInteger(value) ? value : BigInt(plain.replace("+", ""));
  }
  if (/^[+-]?0[xXbBoO]/.test(plain)) return sign(plain) * Number(plain.replace(/^[+-]/, ""));
  if (/^[+-]?0[0-7]+$/.test(plain)) return sign(plain) * Number.parseInt(plain.replace(/^[+-]/, ""), 8);
  return Number(plain);
}

function sign(text: string): number {
  return text.startsWith("-") ? -1 : 1;
}

function showItem({ kind, text }: Item): string {
  if (kind === "end") return "EOF";
  if (kind === "keyword") return `<${text}>`;
  if (kind === "nil") return "<nil>";
  return text.length > 10 ? `${JSON.stringify(text.slice(0, 10))}...` : JSON.stringify(text);
}
