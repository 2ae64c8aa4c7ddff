//! Others: payments, mail, text messages, search and traces. Each is connected to and told nothing.

use std::path::Path;

use super::{Patient, reach, said::Told};
use crate::settings::Paying;

/// Looks whether each that is set answers.
pub async fn look(patient: &Patient, told: &mut Told) {
    let settings = &patient.settings;
    match &settings.paying {
        Paying::Stripe { options, .. } => {
            reach::look("payments", "DAYBOOK_STRIPE_URL", &options.url, 443, told).await;
        }
        Paying::Simulator => told.skip("payments", "the simulator takes them: no money moves"),
    }
    match &settings.outbound.mail {
        // As the library that sends them has it.
        Some(mail) => {
            let usual = if mail.url.starts_with("smtps:") {
                465
            } else if mail.url.contains("tls=required") {
                587
            } else {
                25
            };
            reach::look("mail", "DAYBOOK_SMTP_URL", &mail.url, usual, told).await;
        }
        None => told.skip("mail", "DAYBOOK_SMTP_URL is not set: nobody is told by mail"),
    }
    match &settings.outbound.sms {
        Some(sms) => reach::look("text messages", "DAYBOOK_SMS_URL", sms.url.as_str(), 443, told).await,
        None => told.skip("text messages", "DAYBOOK_SMS_URL is not set"),
    }
    match &settings.meili {
        Some((url, _)) => reach::look("search", "MEILI_URL", url, 7_700, told).await,
        None => index(settings.index.as_deref().unwrap_or(&patient.data.join("index")), told),
    }
    match &settings.tracing {
        Some(tracing) => {
            reach::look("traces", "OTEL_EXPORTER_OTLP_ENDPOINT", &tracing.endpoint, 4_318, told).await;
        }
        None => told.skip("traces", "OTEL_EXPORTER_OTLP_ENDPOINT is not set"),
    }
}

fn index(directory: &Path, told: &mut Told) {
    const CHECK: &str = "search";
    match std::fs::metadata(directory) {
        Ok(about) if !about.is_dir() => {
            told.fail(
                CHECK,
                format_args!("{} is no directory", directory.display()),
                "correct DAYBOOK_INDEX_DIR",
            );
        }
        Ok(about) if about.permissions().readonly() => {
            let todo = "let the user that serves write there";
            told.fail(CHECK, format_args!("{} cannot be written", directory.display()), todo);
        }
        Ok(_) => told.ok(CHECK, format_args!("the index lies in {}", directory.display())),
        Err(_) => told.skip(CHECK, format_args!("{} is made when a process serves", directory.display())),
    }
}
