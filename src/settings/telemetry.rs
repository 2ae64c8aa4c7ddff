//! Settings about traces, under the names that OpenTelemetry gives them.

use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;

use super::SettingsError;

/// The names, and what they mean. What else the standard names (`OTEL_BSP_*`, `OTEL_RESOURCE_ATTRIBUTES`,
/// `OTEL_EXPORTER_OTLP_TIMEOUT`) is read from the environment alone.
pub const NAMES: &[(&str, &str)] = &[
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "where traces are sent by OTLP over HTTP, as http://collector:4318; without it there are none",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "the same with the whole path; default: /v1/traces of OTEL_EXPORTER_OTLP_ENDPOINT",
    ),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "headers for that, as authorization=Basic%20…, with commas; default: none",
    ),
    ("OTEL_SERVICE_NAME", "what this service is called in traces; default: daybook"),
    (
        "OTEL_TRACES_SAMPLER",
        "which requests are traced: always_on, always_off, traceidratio, or one of them after parentbased_; default: parentbased_always_on",
    ),
    ("OTEL_TRACES_SAMPLER_ARG", "the share of requests that traceidratio takes, from 0 to 1; default: 1"),
    ("OTEL_SDK_DISABLED", "true, for no traces whatever else is set; default: false"),
];

/// Where traces go, and which.
#[derive(Clone)]
pub struct Tracing {
    /// The whole address.
    pub endpoint: String,
    /// Headers of each request to it.
    pub headers: Vec<(String, String)>,
    /// What this service is called.
    pub service: String,
    /// Which requests are traced.
    pub sampler: Sampler,
}

impl std::fmt::Debug for Tracing {
    /// Without the headers, which may hold a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { service, sampler, .. } = self;
        f.debug_struct("Tracing").field("service", service).field("sampler", sampler).finish_non_exhaustive()
    }
}

impl Tracing {
    pub(super) fn read(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Self>, SettingsError> {
        let disabled = get("OTEL_SDK_DISABLED").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        let base = get("OTEL_EXPORTER_OTLP_ENDPOINT")
            .map(|base| (NAMES[0].0, format!("{}/v1/traces", base.trim().trim_end_matches('/'))));
        let whole = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(|url| (NAMES[1].0, url.trim().to_owned()));
        let Some((name, endpoint)) = whole.or(base).filter(|_| !disabled) else { return Ok(None) };
        if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
            return Err(wrong(
                name,
                "an address that begins with http:// or https://, such as http://collector:4318",
            ));
        }
        Ok(Some(Self {
            endpoint,
            headers: headers(get)?,
            service: get("OTEL_SERVICE_NAME").unwrap_or_else(|| "daybook".to_owned()),
            sampler: sampler(get)?,
        }))
    }
}

fn headers(get: &impl Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, SettingsError> {
    let text = get("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((name.trim().to_owned(), value.into_owned()))
    });
    pairs
        .collect::<Option<_>>()
        .ok_or_else(|| wrong("OTEL_EXPORTER_OTLP_HEADERS", "name=value pairs with commas"))
}

fn sampler(get: &impl Fn(&str) -> Option<String>) -> Result<Sampler, SettingsError> {
    let text = get("OTEL_TRACES_SAMPLER").unwrap_or_else(|| "parentbased_always_on".to_owned());
    let (by_parent, root) =
        text.trim().strip_prefix("parentbased_").map_or((false, text.trim()), |root| (true, root));
    let root = match root {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(share(get)?),
        _ => {
            let reason = "always_on, always_off or traceidratio, alone or after parentbased_";
            return Err(wrong("OTEL_TRACES_SAMPLER", reason));
        }
    };
    Ok(if by_parent { Sampler::ParentBased(Box::new(root)) } else { root })
}

fn share(get: &impl Fn(&str) -> Option<String>) -> Result<f64, SettingsError> {
    let Some(text) = get("OTEL_TRACES_SAMPLER_ARG") else { return Ok(1.0) };
    let share = text.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| wrong("OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1"))
}

fn wrong(name: &'static str, wanted: &str) -> SettingsError {
    SettingsError::Value { name, reason: format!("not {wanted}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Result<Option<Tracing>, String> {
        let get =
            |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Tracing::read(&get).map_err(|error| error.to_string())
    }

    const TO: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    #[test]
    fn traces_go_nowhere_unless_it_is_said_where() {
        assert!(of(&[("OTEL_TRACES_SAMPLER", "always_on")]).unwrap().is_none());
        assert!(of(&[TO, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
        let set = of(&[TO, ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20aHVudGVyMg==,a=b")]);
        let set = set.unwrap().unwrap();
        assert_eq!(
            (set.endpoint.as_str(), set.service.as_str()),
            ("http://collector:4318/v1/traces", "daybook")
        );
        assert_eq!(set.headers[0].1, "Basic aHVudGVyMg==");
        assert!(!format!("{set:?}").contains("aHVudGVyMg"), "{set:?}");
    }

    #[test]
    fn the_standard_samplers_are_known_and_others_are_told() {
        let sampled = |sampler: &'static str, share: &'static str| {
            of(&[TO, ("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", share)])
                .map(|set| format!("{:?}", set.unwrap().sampler))
        };
        assert_eq!(sampled("traceidratio", "0.25").unwrap(), "TraceIdRatioBased(0.25)");
        assert!(sampled("parentbased_traceidratio", "0.25").unwrap().starts_with("ParentBased("));
        assert_eq!(sampled("always_off", "1").unwrap(), "AlwaysOff");
        assert!(sampled("sometimes", "1").unwrap_err().starts_with("OTEL_TRACES_SAMPLER: "));
        assert!(sampled("traceidratio", "2").unwrap_err().starts_with("OTEL_TRACES_SAMPLER_ARG: "));
        assert!(of(&[(TO.0, "collector:4317")]).is_err());
    }
}
