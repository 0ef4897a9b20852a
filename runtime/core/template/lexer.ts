/**
 * Cuts a template of Go's text/template into items.
 * @see https://pkg.go.dev/text/template#hdr-Text_and_spaces
 */

export type ItemKind =
  | "text" | "leftDelim" | "rightDelim" | "space" | "identifier" | "keyword" | "field" | "variable" | "dot" | "nil"
  | "bool" | "number" | "character" | "string" | "rawString" | "pipe" | "leftParen" | "rightParen" | "declare" | "assign"
  | "comma" | "otherCharacter" | "end" | "error"; // biome-ignore format: a list of words

export interface Item {
  readonly kind: ItemKind;
  /** As it is written; of an error, its message. */
  readonly text: string;
  /** Into the template. */
  readonly position: number;
  /** From 1. */
  readonly line: number;
}

const KEYWORDS = new Set([
  "block",
  "break",
  "continue",
  "define",
  "else",
  "end",
  "if",
  "range",
  "template",
  "with",
]);
const SPACES = " \t\r\n";
const SIMPLE: Readonly<Record<string, ItemKind>> = {
  "|": "pipe",
  "(": "leftParen",
  "=": "assign",
  ",": "comma",
};

export function lex(source: string): Item[] {
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #items: Item[] = [];
  #position = 0;
  #line = 1;
  #parenDepth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Item[] {
    while (this.#position < this.#source.length) {
      if (!this.#text() || !this.#action()) return this.#items;
    }
    this.#push("end", "");
    return this.#items;
  }

  /** Text up to the next action, which is entered. False at the end of all. */
  #text(): boolean {
    const start = this.#source.indexOf("{{", this.#position);
    const end = start < 0 ? this.#source.length : start;
    let text = this.#source.slice(this.#position, end);
    const trims = start >= 0 && this.#source[start + 2] === "-" && isSpace(this.#source[start + 3]);
    if (trims) text = text.replace(/[ \t\r\n]+$/, "");
    if (text !== "") this.#push("text", text);
    this.#line +=
      count(this.#source.slice(this.#position, end), "\n") - (text === "" ? 0 : count(text, "\n"));
    this.#position = end;
    if (start < 0) {
      this.#push("end", "");
      return false;
    }
    const inner = start + (trims ? 4 : 2);
    if (this.#source.startsWith("/*", inner)) return this.#comment(inner);
    this.#push("leftDelim", "{{");
    this.#position = inner;
    this.#parenDepth = 0;
    return true;
  }

  /** Nothing of it is left; goes on with the text behind it. */
  #comment(inner: number): boolean {
    const end = this.#source.indexOf("*/", inner);
    if (end < 0) return this.#fail("unclosed comment");
    const close = /^(?:[ \t\r\n]-)?\}\}/.exec(this.#source.slice(end + 2));
    if (close === null) return this.#fail("comment ends before closing delimiter");
    this.#skipTo(end + 2 + close[0].length);
    if (close[0].length > 2) this.#trimLeft();
    return this.#text();
  }

  /** Items of one action, its end included. False after an error. */
  #action(): boolean {
    for (;;) {
      const rest = this.#source.slice(this.#position, this.#position + 4);
      const trims = isSpace(rest[0]) && rest.startsWith("-}}", 1);
      if (trims || rest.startsWith("}}")) {
        if (this.#parenDepth > 0) return this.#fail("unclosed left paren");
        if (trims) this.#skipTo(this.#position + 2);
        this.#push("rightDelim", "}}");
        this.#position += 2;
        if (trims) this.#trimLeft();
        return true;
      }
      if (!this.#inside()) return false;
    }
  }

  #inside(): boolean {
    const character = this.#source[this.#position];
    if (character === undefined) return this.#fail("unclosed action");
    if (isSpace(character)) return this.#space();
    const simple = SIMPLE[character];
    if (simple !== undefined) {
      if (simple === "leftParen") this.#parenDepth++;
      return this.#take(simple, 1);
    }
    if (character === ")") {
      if (--this.#parenDepth < 0) return this.#fail("unexpected right paren");
      return this.#take("rightParen", 1);
    }
    if (character === ":") {
      return this.#source[this.#position + 1] === "=" ? this.#take("declare", 2) : this.#fail("expected :=");
    }
    if (character === '"')
      return this.#quoted(/"(?:[^"\\\n]|\\[^\n])*"/y, "string", "unterminated quoted string");
    if (character === "'") {
      return this.#quoted(/'(?:[^'\\\n]|\\[^\n])*'/y, "character", "unterminated character constant");
    }
    if (character === "`") return this.#quoted(/`[^`]*`/y, "rawString", "unterminated raw quoted string");
    if (character === "$") return this.#name("variable");
    if (character === "." && !/[0-9]/.test(this.#source[this.#position + 1] ?? ""))
      return this.#name("field");
    if (/[+\-0-9.]/.test(character)) return this.#number();
    if (isAlphanumeric(character)) return this.#name("identifier");
    if (/[\x20-\x7e]/.test(character)) return this.#take("otherCharacter", 1);
    return this.#fail(`unrecognized character in action: ${unicodeName(this.#codePoint())}`);
  }

  #space(): boolean {
    let end = this.#position;
    while (isSpace(this.#source[end])) end++;
    // The last space may belong to the mark that trims.
    if (this.#source.startsWith("-}}", end)) {
      end--;
      if (end === this.#position) return true;
    }
    return this.#take("space", end - this.#position);
  }

  #quoted(pattern: RegExp, kind: ItemKind, problem: string): boolean {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#source);
    return match === null ? this.#fail(problem) : this.#take(kind, match[0].length);
  }

  #name(kind: "variable" | "field" | "identifier"): boolean {
    let end = this.#position + (kind === "identifier" ? 0 : 1);
    while (isAlphanumeric(this.#source[end])) end++;
    const next = this.#source[end];
    const text = this.#source.slice(this.#position, end);
    const terminated =
      next === undefined || /[ \t\r\n.,|:()]/.test(next) || this.#source.startsWith("}}", end);
    // A bare dot and a bare dollar end where they end.
    if (text === ".") return this.#take("dot", 1);
    if (!terminated && text !== "$") {
      this.#skipTo(end);
      return this.#fail(`bad character ${unicodeName(this.#codePoint())}`);
    }
    if (kind !== "identifier") return this.#take(kind, text.length);
    if (KEYWORDS.has(text)) return this.#take("keyword", text.length);
    if (text === "nil") return this.#take("nil", text.length);
    return this.#take(text === "true" || text === "false" ? "bool" : "identifier", text.length);
  }

  #number(): boolean {
    const match =
      /^[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[0-9][0-9_]*)?(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]+)?/.exec(
        this.#source.slice(this.#position, this.#position + 400),
      );
    const text = match?.[0] ?? "";
    if (!/[0-9]/.test(text) || isAlphanumeric(this.#source[this.#position + text.length])) {
      return this.#fail(
        `bad number syntax: ${JSON.stringify(this.#source.slice(this.#position, this.#position + text.length + 1))}`,
      );
    }
    return this.#take("number", text.length);
  }

  #take(kind: ItemKind, length: number): boolean {
    this.#push(kind, this.#source.slice(this.#position, this.#position + length));
    this.#position += length;
    return true;
  }

  #push(kind: ItemKind, text: string): void {
    this.#items.push({ kind, text, position: this.#position, line: this.#line });
    if (kind !== "error") this.#line += count(text, "\n");
  }

  #fail(message: string): false {
    this.#push("error", message);
    return false;
  }

  #skipTo(position: number): void {
    this.#line += count(this.#source.slice(this.#position, position), "\n");
    this.#position = position;
  }

  #trimLeft(): void {
    let end = this.#position;
    while (isSpace(this.#source[end])) end++;
    this.#skipTo(end);
  }

  #codePoint(): number {
    return this.#source.codePointAt(this.#position) ?? 0;
  }
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && character !== "" && SPACES.includes(character);
}

function isAlphanumeric(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{Nd}_]/u.test(character);
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

/** Go's `%#U`: `U+007B '{'`. */
function unicodeName(codePoint: number): string {
  const hex = codePoint.toString(16).toUpperCase().padStart(4, "0");
  return codePoint < 0x20 || codePoint === 0x7f
    ? `U+${hex}`
    : `U+${hex} '${String.fromCodePoint(codePoint)}'`;
}
