// Which kind of element a selector or a form's name finds, the templates decide: no type is claimed for them.

interface ParentNode {
  querySelector(selectors: string): any;
  querySelectorAll(selectors: string): NodeListOf<any>;
}

interface Element {
  closest(selector: string): any;
}

interface Document {
  getElementById(id: string): any;
}

interface HTMLFormControlsCollection {
  [name: string]: any;
}
