export default function Page() {
  return "Streams pass by here.";
}
