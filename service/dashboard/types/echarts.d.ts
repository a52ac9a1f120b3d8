// The part of ECharts' global that the dashboard uses; the file itself is served as it comes.

interface EChart {
  setOption(option: object, more?: object): void;
  getOption(): any;
  resize(size?: object): void;
  clear(): void;
  dispose(): void;
  on(event: string, act: (event: any) => void): void;
  on(event: string, query: unknown, act: (event: any) => void): void;
  off(event: string, act?: (event: any) => void): void;
  dispatchAction(action: object): void;
  convertToPixel(finder: object | string, value: unknown): any;
  convertFromPixel(finder: object | string, value: unknown): any;
  containPixel(finder: object | string, value: unknown): boolean;
  getZr(): any;
  getModel(): any;
  getDom(): HTMLElement;
  getWidth(): number;
  getHeight(): number;
  getDataURL(look?: object): string;
  renderToSVGString(look?: object): string;
}

declare const echarts: {
  init(element: HTMLElement | null, theme?: unknown, more?: object): EChart;
  getInstanceByDom(element: Element | null): EChart | undefined;
  graphic: any;
  time: any;
};
